// Encodes texts with the npm package @huggingface/tokenizers, for comparison.
//   node tokenizers_reference.mjs TOKENIZER.json TEXTS.json IDS.txt
// TEXTS.json is an array of strings; IDS.txt gets one line of ids a text. The package is looked for
// in $BANTAM_NPM/node_modules; without it the exit code is 77.
//
// The package differs from the Rust library `tokenizers`, which models are trained with, in ways
// that are undone here: its digits are ASCII only, its own byte-level pattern and its stripping use
// JavaScript's notion of white space.
import fs from 'fs';
import { createRequire } from 'module';

const root = process.env.BANTAM_NPM ?? process.cwd();
let Tokenizer;
try {
  ({ Tokenizer } = createRequire(`${root}/package.json`)('@huggingface/tokenizers'));
} catch (error) {
  console.error(`no @huggingface/tokenizers below ${root}: ${error.message}`);
  process.exit(77);
}

const start = /^\p{White_Space}+/u;
const end = /\p{White_Space}+$/u;
String.prototype.trimStart = function () { return this.replace(start, ''); };
String.prototype.trimEnd = function () { return this.replace(end, ''); };

const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const split = (Regex) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
function corrected(step) {
  if (step === null) return null;
  if (step.type === 'Sequence') {
    return { ...step, pretokenizers: step.pretokenizers.map(corrected) };
  }
  if (step.type === 'Digits') return split(step.individual_digits ? '\\p{N}' : '\\p{N}+');
  if (step.type === 'WhitespaceSplit') return { ...split('\\s+'), behavior: 'Removed' };
  if (step.type === 'ByteLevel' && (step.use_regex ?? true) && !step.add_prefix_space) {
    return { type: 'Sequence', pretokenizers: [split(gpt2), { ...step, use_regex: false }] };
  }
  return step;
}

const [, , tokenizerPath, textsPath, idsPath] = process.argv;
const json = JSON.parse(fs.readFileSync(tokenizerPath, 'utf8'));
json.pre_tokenizer = corrected(json.pre_tokenizer ?? null);
for (const part of ['normalizer', 'post_processor', 'decoder']) json[part] ??= null;
const tokenizer = new Tokenizer(json, {});
const texts = JSON.parse(fs.readFileSync(textsPath, 'utf8'));
const out = texts.map((text) => tokenizer.encode(text).ids.join(' '));
fs.writeFileSync(idsPath, out.join('\n') + '\n');
