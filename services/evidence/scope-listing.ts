import { createHash } from 'node:crypto'
import { type Fact, fact } from '@attestry/contracts'
import { isStorable, type Refused, refuse } from '@attestry/kit'
import * as z from 'zod'

/** An entry of `az resource list`, of which only these are looked at. */
const Entry = z.looseObject({ id: z.string().min(1).max(1000), type: z.string().min(1).max(200) })

const VAULT_TYPE = 'microsoft.keyvault/vaults'
const MOST_BYTES = 1_000_000
const MOST_VAULTS = 10_000
/** Vaults in one event, so that none grows beyond what the bus takes. */
const PER_EVENT = 100

/**
 * The facts of an imported listing: the JSON array that `az resource list` prints, or an object whose `value` is one, as
 * Resource Manager answers.
 * @refuses 'listing-unreadable' with the entry that is wrong, 'listing-too-large' above one megabyte or 10,000 vaults
 */
export function readListing(
  text: string,
  listing: string,
): Fact[] | Refused<'listing-unreadable' | 'listing-too-large'> {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length > MOST_BYTES)
    return refuse(
      'listing-too-large',
      'The listing is above one megabyte. List the vaults alone: az resource list --resource-type Microsoft.KeyVault/vaults --query "[].{id:id,type:type}".',
    )
  const entries = parsed(text)
  if (!entries.success) {
    const [issue] = entries.error.issues
    const field = ['body', ...(issue?.path.map(String) ?? [])].join('.')
    return refuse(
      'listing-unreadable',
      'The listing must be the JSON array that az resource list prints, each entry with id and type.',
      [{ field, message: issue?.message ?? 'is not an array of resources' }],
    )
  }
  const vaults: { name: string; resourceId: string; subscription: string }[] = []
  for (const [index, { id, type }] of entries.data.entries()) {
    if (type.toLowerCase() !== VAULT_TYPE) continue
    const [, subscription, name] =
      /^\/subscriptions\/([^/]+)\/.*\/providers\/microsoft\.keyvault\/vaults\/([^/]+)$/i.exec(id) ?? []
    if (subscription === undefined || name === undefined || !isStorable(id))
      return refuse('listing-unreadable', 'A vault of the listing has no resource id of Azure.', [
        { field: `body.${index}.id`, message: 'must be the resource id of a vault' },
      ])
    vaults.push({ name, resourceId: id, subscription: subscription.toLowerCase() })
  }
  if (vaults.length > MOST_VAULTS)
    return refuse(
      'listing-too-large',
      'The listing names more than 10,000 vaults; hand it in by subscription.',
    )
  const pages = Array.from({ length: Math.ceil(vaults.length / PER_EVENT) }, (_, page) =>
    vaults.slice(page * PER_EVENT, (page + 1) * PER_EVENT),
  )
  return [
    fact('evidence.listing-imported', {
      listing,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      bytes: bytes.length,
      resources: entries.data.length,
      vaults: vaults.length,
      pages: pages.length,
    }),
    ...pages.map((of, page) => fact('evidence.listing-read', { listing, page, vaults: of })),
  ]
}

const Listing = z.union([z.array(Entry), z.looseObject({ value: z.array(Entry) }).transform((o) => o.value)])

function parsed(text: string): z.ZodSafeParseResult<z.infer<typeof Entry>[]> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's only way to say so; what follows names the body as a whole.
    return z.array(Entry).safeParse(null)
  }
  // An array is held to its own shape, so that the entry that is wrong is named.
  return Array.isArray(value) ? z.array(Entry).safeParse(value) : Listing.safeParse(value)
}
