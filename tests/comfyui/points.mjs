// Clicks into the point editor of Garment Mask (SAM) in the real front end, in both of its renderers, and prints what
// the prompt became, as one JSON line.  node points.mjs URL CHROMIUM PICTURE_FOLDER PHOTO
import path from 'node:path'
import { createRequire } from 'node:module'

const [url, chromium, pictures, photo] = process.argv.slice(2)
const require = createRequire(path.join(process.cwd(), 'package.json'))
const { chromium: driver } = require('playwright-core')
const browser = await driver.launch({ executablePath: chromium, args: ['--no-sandbox', '--enable-unsafe-swiftshader'] })
const page = await browser.newPage({ viewport: { width: 1500, height: 1000 } })
const errors = []
page.on('pageerror', (error) => errors.push(error.message))

const value = () => page.evaluate(() => window.mask.widgets.find((w) => w.name === 'prompt').value)
const settled = () => page.waitForTimeout(700)

async function build(photo) {
  await page.evaluate(async (photo) => {
    await app.loadGraphData({ last_node_id: 0, last_link_id: 0, nodes: [], links: [], version: 0.4 })
    const load = LiteGraph.createNode('LoadImage')
    const mask = LiteGraph.createNode('Garment3D_SamMask')
    app.graph.add(load)
    app.graph.add(mask)
    load.pos = [40, 60]
    mask.pos = [420, 60]
    mask.setSize([560, 800])
    const file = load.widgets.find((w) => w.name === 'image')
    file.value = photo
    file.callback?.(photo)
    load.connect(0, mask, mask.inputs.findIndex((i) => i.name === 'image'))
    app.canvas.ds.scale = 0.9
    app.canvas.ds.offset = [20, 40]
    app.graph.setDirtyCanvas(true, true)
    window.mask = mask
  }, photo)
  await page.waitForSelector('.garment3d-points image', { timeout: 15000 })
  await settled()
}

/** The address of the picture that comes from Example Garment Photo, which is known only after a run. */
async function fromExample(name) {
  await page.evaluate(async () => {
    await app.loadGraphData({ last_node_id: 0, last_link_id: 0, nodes: [], links: [], version: 0.4 })
    const [photo, mask, preview] = ['Garment3D_ExamplePhoto', 'Garment3D_SamMask', 'PreviewImage'].map((type) => {
      const node = LiteGraph.createNode(type)
      app.graph.add(node)
      return node
    })
    mask.pos = [420, 60]
    preview.pos = [900, 60]
    photo.connect(0, mask, mask.inputs.findIndex((i) => i.name === 'image'))
    photo.connect(0, preview, 0)
  })
  await settled()
  const before = await page.locator('.garment3d-points image').count()
  const hint = await page.locator('.garment3d-points footer span').textContent()
  await page.evaluate(() => app.queuePrompt(0, 1))
  await page.waitForSelector('.garment3d-points image', { timeout: 30000 })
  await settled()
  await page.screenshot({ path: path.join(pictures, `points_example_${name}.png`) })
  const address = await page.locator('.garment3d-points image').getAttribute('href')
  return { before, hint, address }
}

/** Where a place of the photo, as shares of its sides, lies on the page. */
async function at(x, y) {
  const image = await page.locator('.garment3d-points image').boundingBox()
  return [image.x + x * image.width, image.y + y * image.height]
}

async function click(x, y, { button = 'left', shift = false } = {}) {
  if (shift) await page.keyboard.down('Shift')
  await page.mouse.move(...(await at(x, y)))
  await page.mouse.down({ button })
  await page.mouse.up({ button })
  if (shift) await page.keyboard.up('Shift')
  await page.waitForTimeout(60)
}

async function drag(from, to) {
  await page.mouse.move(...(await at(...from)))
  await page.mouse.down()
  await page.mouse.move(...(await at(...to)), { steps: 6 })
  await page.mouse.up()
  await page.waitForTimeout(60)
}

async function tour(name) {
  await build(photo)
  const place = await page.evaluate(() => [...window.mask.pos])
  const seen = { empty: await value() }
  await click(0.5, 0.5)
  seen.one = await value()
  await click(0.1, 0.9, { button: 'right' })
  await click(0.9, 0.1, { shift: true })
  seen.three = await value()
  await drag([0.8, 0.9], [0.2, 0.1])
  seen.boxed = await value()
  seen.marks = await page.locator('.garment3d-points circle[data-label]').count()
  seen.moved = JSON.stringify(await page.evaluate(() => [...window.mask.pos])) !== JSON.stringify(place)
  seen.menu = await page.locator('.litecontextmenu, .p-contextmenu').count()
  await page.screenshot({ path: path.join(pictures, `points_${name}.png`) })
  seen.sent = await page.evaluate(async () => (await app.graphToPrompt()).output[String(window.mask.id)].inputs)
  await page.evaluate(async () => {
    await app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())))
    window.mask = app.graph.nodes.find((node) => node.type === 'Garment3D_SamMask')
  })
  await page.waitForSelector('.garment3d-points image', { timeout: 15000 })
  await settled()
  seen.reloaded = await value()
  seen.redrawn = await page.locator('.garment3d-points circle[data-label]').count()
  await click(0.5, 0.5)
  seen.removed = await value()
  await page.locator('.garment3d-points button').click()
  seen.cleared = await value()
  await page.evaluate(() => (window.mask.widgets.find((w) => w.name === 'prompt').value = '[[3, 4]]'))
  await settled()
  seen.typed = await page.locator('.garment3d-points circle[data-label="1"]').count()
  seen.example = await fromExample(name)
  return seen
}

await page.goto(url)
const ready = () => page.waitForFunction(() => window.app?.graph && LiteGraph.registered_node_types.Garment3D_SamMask)
await ready()
const renderers = {}
for (const [name, vue] of [['classic', false], ['nodes2', true]]) {
  await page.evaluate((vue) => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', vue), vue)
  await page.reload()
  await ready()
  await settled()
  renderers[name] = await tour(name)
  renderers[name].vue = (await page.locator('[data-node-id]').count()) > 0
}
console.log(JSON.stringify({ renderers, errors }))
await browser.close()
