// Continues token ids greedily with the npm package node-llama-cpp, for comparison.
//   node gguf_reference.mjs MODEL.gguf COUNT IDS...
// Prints the new ids on one line. The package is looked for in $BANTAM_NPM/node_modules; without it
// the exit code is 77.
import { createRequire } from 'module';
import { pathToFileURL } from 'url';

const [file, count, ...ids] = process.argv.slice(2);
const root = process.env.BANTAM_NPM ?? process.cwd();
let runtime;
try {
  const require = createRequire(`${root}/package.json`);
  runtime = await import(pathToFileURL(require.resolve('node-llama-cpp')));
} catch (error) {
  console.error(`no node-llama-cpp below ${root}: ${error.message}`);
  process.exit(77);
}

const llama = await runtime.getLlama({ gpu: false, build: 'never', logLevel: 'error' });
const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
const context = await model.createContext({ contextSize: 256, threads: 1 });
const tokens = [];
const prompt = ids.map(Number);
for await (const token of context.getSequence().evaluate(prompt, { temperature: 0 })) {
  tokens.push(token);
  if (tokens.length === Number(count)) break;
}
console.log(tokens.join(' '));
process.exit(0);
