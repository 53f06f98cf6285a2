import { verdictWords, verifyFiles } from './files.ts'

/* The verifier as one file: the same core as the command line, with files that are dropped on it. */

const field = (id: string): HTMLInputElement => {
  const found = document.querySelector<HTMLInputElement>(`#${id}`)
  if (!found) throw new Error(`the page has no ${id}`)
  return found
}
const fileOf = (id: string): File | null => field(id).files?.[0] ?? null
const verdictLine = document.querySelector('#verdict')
const list = document.querySelector('#checks')

const say = (text: string): void => {
  if (verdictLine) verdictLine.textContent = text
}

/** How often something was chosen or asked: a verdict is of what stands in the page, or it is not shown. */
let turn = 0
const begin = (text: string): number => {
  list?.replaceChildren()
  say(text)
  turn += 1
  return turn
}

async function verify(mine: number): Promise<void> {
  const bundle = fileOf('bundle')
  if (bundle === null) return say('Choose a bundle first.')
  const verdict = await verifyFiles(
    {
      bundle,
      signer: fileOf('signer'),
      roots: fileOf('roots'),
      checkpoint: fileOf('checkpoint'),
      against: fileOf('against'),
      from: field('from').value.trim(),
      to: field('to').value.trim(),
    },
    new Date(),
  )
  if (mine !== turn) return
  for (const { id, ok, title, detail } of verdict.checks) {
    const line = document.createElement('li')
    line.dataset['ok'] = String(ok)
    line.dataset['check'] = id
    line.textContent = `${title}: ${detail}`
    list?.append(line)
  }
  say(verdictWords(verdict))
}

field('verify').addEventListener('click', () => {
  const mine = begin('Verifying …')
  verify(mine).catch((error: unknown) => {
    // A file that was moved or changed while it was read.
    if (mine === turn) say(`The files could not be read: ${String(error)}`)
  })
})
document.addEventListener('input', () => begin(''))
const drop = document.querySelector('#drop')
drop?.addEventListener('dragover', (event) => event.preventDefault())
drop?.addEventListener('drop', (event) => {
  event.preventDefault()
  if (!(event instanceof DragEvent) || !event.dataTransfer) return
  field('bundle').files = event.dataTransfer.files
  // No field says so when its files are set by us.
  begin('')
})
