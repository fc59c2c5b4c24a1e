// Renders chat templates with the npm package @huggingface/jinja, for comparison.
//   node template_reference.mjs FOLDER     (tests/data/templates)
// Prints {template: {chat: text or null where it raises}}. The package is looked for in
// $BANTAM_NPM/node_modules; without it the exit code is 77.
import fs from 'fs';
import { createRequire } from 'module';

const folder = process.argv[2];
const root = process.env.BANTAM_NPM ?? process.cwd();
let Template;
try {
  ({ Template } = createRequire(`${root}/package.json`)('@huggingface/jinja'));
} catch (error) {
  console.error(`no @huggingface/jinja below ${root}: ${error.message}`);
  process.exit(77);
}

const chats = JSON.parse(fs.readFileSync(`${folder}/chats.json`, 'utf8'));
const result = {};
for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.jinja'))) {
  const template = new Template(fs.readFileSync(`${folder}/${file}`, 'utf8'));
  const texts = {};
  for (const { name, variables } of chats) {
    try {
      texts[name] = template.render(variables);
    } catch {
      texts[name] = null;
    }
  }
  result[file.replace(/\.jinja$/, '')] = texts;
}
console.log(JSON.stringify(result));
