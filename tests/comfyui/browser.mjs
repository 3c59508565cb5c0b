// Opens each workflow in the real front end and prints, as one JSON line, what it would send to the API and what went wrong.
// node browser.mjs URL CHROMIUM PICTURE_FOLDER WORKFLOW.json...
import fs from 'node:fs'
import path from 'node:path'
import { createRequire } from 'node:module'

const [url, chromium, pictures, ...workflows] = process.argv.slice(2)
const require = createRequire(path.join(process.cwd(), 'package.json'))
const { chromium: driver } = require('playwright-core')
const browser = await driver.launch({ executablePath: chromium, args: ['--no-sandbox', '--enable-unsafe-swiftshader'] })
const page = await browser.newPage({ viewport: { width: 2000, height: 1100 } })
const errors = []
page.on('pageerror', (error) => errors.push(error.message))
await page.goto(url)
await page.waitForFunction(() => window.app?.graph && window.LiteGraph?.registered_node_types?.Garment3D_Save)
// The front end opens its own first workflow when it is ready; it must not come after ours.
await page.waitForFunction(() => app.graph.nodes.length > 0, null, { timeout: 20000 }).catch(() => {})
const opened = {}
for (const file of workflows) {
  const workflow = JSON.parse(fs.readFileSync(file, 'utf8'))
  opened[path.basename(file, '.json')] = await page.evaluate(async (workflow) => {
    await app.loadGraphData(workflow)
    await new Promise((done) => setTimeout(done, 500))
    const unknown = app.graph.nodes.filter((node) => node.has_errors || !LiteGraph.registered_node_types[node.type])
    return { api: (await app.graphToPrompt()).output, unknown: unknown.map((node) => node.type) }
  }, workflow)
  await page.screenshot({ path: path.join(pictures, path.basename(file, '.json') + '.png') })
}
console.log(JSON.stringify({ opened, errors }))
await browser.close()
