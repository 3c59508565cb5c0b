// Which photo a node's image input shows, as an address: what the node before it showed, or the file it loads.
// After a run that is the picture itself, so that pixels on the screen are pixels of the photo.

/** The address of the picture at the node's input, or of its own last preview; null before anything is known. */
export function photoAddress(node, input, { app, api }) {
  const before = upstream(node, input)
  const shown = pictures(before, app)[0] ?? fileOf(before) ?? pictures(node, app)[0]
  if (!shown) return null
  const { filename, subfolder = '', type = 'output' } = shown
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`)
}

/** The node that the input comes from, past reroutes. */
function upstream(node, input) {
  let slot = node.inputs?.findIndex(({ name }) => name === input) ?? -1
  let before = slot >= 0 ? node.getInputNode(slot) : null
  while (before?.type === 'Reroute') before = before.getInputNode(0)
  return before
}

function pictures(node, app) {
  if (!node) return []
  const outputs = app.nodeOutputs ?? {}
  const inSubgraph = node.graph && node.graph.isRootGraph === false
  const shown = outputs[inSubgraph ? `${node.graph.id}:${node.id}` : node.id] ?? outputs[node.id]
  return shown?.images ?? []
}

/** The file a Load Image node names, as "folder/name.png [input]". */
function fileOf(node) {
  if (!node?.type?.startsWith('LoadImage')) return null
  const value = node.widgets?.find(({ name }) => name === 'image')?.value
  if (typeof value !== 'string' || !value) return null
  const [, path, type = 'input'] = value.match(/^(.*?)(?: \[(input|output|temp)\])?$/)
  const cut = path.lastIndexOf('/')
  return { filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(0, cut)), type }
}
