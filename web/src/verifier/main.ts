import { bytesOfBlob, openZip, sha256InScript, type Trust, verifyBundle } from '@attestry/evidence/verify'

/* The verifier as one file: the same core as the command line, with files that are dropped on it. */

const field = (id: string): HTMLInputElement => {
  const found = document.querySelector<HTMLInputElement>(`#${id}`)
  if (!found) throw new Error(`the page has no ${id}`)
  return found
}
const fileOf = (id: string): File | null => field(id).files?.[0] ?? null
const textOf = async (id: string): Promise<string | null> => (await fileOf(id)?.text()) ?? null
const verdictLine = document.querySelector('#verdict')
const list = document.querySelector('#checks')

async function verify(): Promise<void> {
  list?.replaceChildren()
  const say = (text: string) => verdictLine && (verdictLine.textContent = text)
  say('Verifying …')
  const bundle = fileOf('bundle')
  if (bundle === null) return void say('Choose a bundle first.')
  const checkpoint = await textOf('checkpoint')
  const [from, to] = [field('from').value.trim(), field('to').value.trim()]
  const trust: Trust = {
    signerPublicKeyPem: await textOf('signer'),
    tsaRootsPem: await textOf('roots'),
    ...(checkpoint === null ? {} : { checkpointVerifiers: checkpoint }),
    ...(from || to ? { period: { from, to } } : {}),
    now: new Date(),
    sha256: sha256InScript,
  }
  const other = fileOf('against')
  const verdictOf = async (file: File, more: Partial<Trust> = {}) =>
    verifyBundle(await openZip(bytesOfBlob(file)), { ...trust, ...more })
  const head = other === null ? null : (await verdictOf(other)).manifest?.ledger.head
  const known = head ? [{ seq: head.seq, link: head.link }] : []
  const verdict = await verdictOf(bundle, { known })
  for (const { id, ok, title, detail } of verdict.checks) {
    const line = document.createElement('li')
    line.dataset['ok'] = String(ok)
    line.dataset['check'] = id
    line.textContent = `${title}: ${detail}`
    list?.append(line)
  }
  say(
    !verdict.ok
      ? 'This bundle does NOT verify.'
      : verdict.timestamped
        ? 'This bundle verifies.'
        : 'This bundle verifies, but nobody vouches for its time yet.',
  )
}

field('verify').addEventListener('click', () => void verify())
const drop = document.querySelector('#drop')
drop?.addEventListener('dragover', (event) => event.preventDefault())
drop?.addEventListener('drop', (event) => {
  event.preventDefault()
  if (event instanceof DragEvent && event.dataTransfer) field('bundle').files = event.dataTransfer.files
})
