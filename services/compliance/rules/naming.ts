/*
 * What P015 and P006 leave open, decided here.
 *
 * A name is generic when nothing is left of it once words that say "this is a credential" or "this is a
 * placeholder", and numbers, are taken away: `password`, `key1`, `my-secret-02`, `test`. A name that tells whose
 * or what for is not: `billing-db-password`.
 *
 * A tag counts unless the platform or a tool put it there without a person deciding it.
 */

const GENERIC: ReadonlySet<string> = new Set(
  `a an the my our new old copy final temp tmp test tests testing foo bar baz demo example sample default dummy
   untitled value data string thing stuff item name misc other
   password passwd pwd pass passphrase pw secret secrets key keys apikey api token tokens cred creds credential
   credentials auth login user username admin root cert certificate connection connectionstring connstring connstr
   conn clientsecret client vault keyvault akv kv azure v`.split(/\s+/),
)

/** The words of a name: parted at punctuation, at capitals and around numbers. */
const WORDS = /[A-Z]?[a-z]+|[A-Z]+|\d+/g

const saysNothing = (word: string): boolean =>
  word.length === 1 || GENERIC.has(word.toLowerCase()) || /^\d/.test(word)

/** Whether a name tells nothing about what it names. A name without Latin letters or digits is taken to tell. */
export function isGeneric(name: string): boolean {
  let words = 0
  WORDS.lastIndex = 0
  // Most names tell by their first word: the rest is not looked at.
  for (let word = WORDS.exec(name); word; word = WORDS.exec(name), words++)
    if (!saysNothing(word[0])) return false
  return words > 0
}

/** Prefixes of tags that platforms and tools write: Azure's own, AKS, and ours on what we copy or rotate. */
const SYSTEM_PREFIXES = ['hidden-', 'link:', 'ms-', 'microsoft.', 'aks-managed-', 'attestry-']
/** `file-encoding` comes from the Azure CLI, the rest from App Service certificates. */
const SYSTEM_TAGS: ReadonlySet<string> = new Set([
  'file-encoding',
  'certificateid',
  'certificatestate',
  'serialnumber',
  'thumbprint',
])

/** Whether somebody chose this tag. */
export const isOwnTag = (name: string): boolean => {
  const tag = name.trim().toLowerCase()
  return tag !== '' && !SYSTEM_TAGS.has(tag) && !SYSTEM_PREFIXES.some((prefix) => tag.startsWith(prefix))
}
