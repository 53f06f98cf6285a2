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

async function verify(): Promise<void> {
  list?.replaceChildren()
  const say = (text: string) => verdictLine && (verdictLine.textContent = text)
  say('Verifying …')
  const bundle = fileOf('bundle')
  if (bundle === null) return void say('Choose a bundle first.')
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
  verify().catch((error: unknown) => {
    // A file that was moved or changed while it was read.
    if (verdictLine) verdictLine.textContent = `The files could not be read: ${String(error)}`
  })
})
const drop = document.querySelector('#drop')
drop?.addEventListener('dragover', (event) => event.preventDefault())
drop?.addEventListener('drop', (event) => {
  event.preventDefault()
  if (event instanceof DragEvent && event.dataTransfer) field('bundle').files = event.dataTransfer.files
})
