// Speed of another GGUF runtime (npm's node-llama-cpp) on the same file, to set beside `bantam bench`.
//   node bench/other_runtime.mjs MODEL.gguf [THREADS [PROMPT [TOKENS [REPETITIONS]]]]
// Prints medians in tokens per second. The package is looked for in $BANTAM_NPM/node_modules.
import { createRequire } from 'module';
import { pathToFileURL } from 'url';

const [file, threads = 2, prompt = 512, tokens = 128, repetitions = 5] = process.argv.slice(2);
const require = createRequire(`${process.env.BANTAM_NPM ?? process.cwd()}/package.json`);
const { getLlama } = await import(pathToFileURL(require.resolve('node-llama-cpp')));

const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' });
const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
const contextSize = Number(prompt) + Number(tokens) + 8;
const context = await model.createContext({
  contextSize, batchSize: Number(prompt), threads: { ideal: Number(threads), min: Number(threads) },
});
const sequence = context.getSequence();
const ids = Array.from({ length: Number(prompt) }, (_, i) => (i * 7919 + 11) % 30000);
const seconds = (begin) => Number(process.hrtime.bigint() - begin) * 1e-9;
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const prefill = [];
const decode = [];
for (let r = 0; r <= Number(repetitions); ++r) {
  await sequence.clearHistory();
  let begin = process.hrtime.bigint();
  await sequence.evaluateWithoutGeneratingNewTokens(ids.slice(0, -1));
  const read = seconds(begin);
  begin = process.hrtime.bigint();
  let count = 0;
  for await (const _ of sequence.evaluate(ids.slice(-1), { temperature: 0, yieldEogToken: true })) {
    if (++count === Number(tokens)) break;
  }
  if (r === 0) continue;
  prefill.push((ids.length - 1) / read);
  decode.push(count / seconds(begin));
}
console.log(`${file}: prefill ${median(prefill).toFixed(1)} t/s, decode ${median(decode).toFixed(1)} t/s`);
process.exit(0);
