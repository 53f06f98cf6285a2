import {
  createDecipheriv,
  createHash,
  createPrivateKey,
  type KeyObject,
  pbkdf2Sync,
  X509Certificate,
} from 'node:crypto'

/*
 * Opens a PKCS #12 file (RFC 7292) that is protected by the empty password, which is how Key Vault hands out a
 * certificate with its key. Integrity is the vault's and TLS's matter: a MAC under an empty password proves nothing.
 * Takes the two protections that are in use: PBES2 with AES (RFC 8018), and SHA-1 with triple DES of old.
 */

interface Node {
  readonly tag: number
  readonly body: Uint8Array
  /** With its tag and length. */
  readonly whole: Uint8Array
}

/** One DER or BER node at `at`; indefinite lengths, which some exporters write, included. */
function read(bytes: Uint8Array, at: number): Node & { readonly end: number } {
  const tag = bytes[at] ?? -1
  const first = bytes[at + 1] ?? -1
  if (tag < 0 || first < 0) throw new Error('the file ends in the middle')
  if (first === 0x80) {
    let end = at + 2
    while (!(bytes[end] === 0 && bytes[end + 1] === 0)) end = read(bytes, end).end
    return { tag, body: bytes.subarray(at + 2, end), whole: bytes.subarray(at, end + 2), end: end + 2 }
  }
  const more = first & 0x80 ? first & 0x7f : 0
  if (more > 4) throw new Error('a length is beyond all files')
  let length = more === 0 ? first : 0
  for (let index = 0; index < more; index++) length = length * 256 + (bytes[at + 2 + index] ?? 0)
  const start = at + 2 + more
  const end = start + length
  if (end > bytes.length) throw new Error('the file ends in the middle')
  return { tag, body: bytes.subarray(start, end), whole: bytes.subarray(at, end), end }
}

function children({ body }: Pick<Node, 'body'>): Node[] {
  const nodes: Node[] = []
  for (let at = 0; at < body.length; ) {
    const node = read(body, at)
    nodes.push(node)
    at = node.end
  }
  return nodes
}
function child(node: Pick<Node, 'body'>, ...path: readonly number[]): Node {
  let at: Pick<Node, 'body'> = node
  for (const index of path) {
    const next = children(at)[index]
    if (next === undefined) throw new Error('a part is missing')
    at = next
  }
  // A path has at least one step, and each gave a node.
  return at as Node
}

const oids = {
  data: '2a864886f70d010701',
  encryptedData: '2a864886f70d010706',
  keyBag: '2a864886f70d010c0a0101',
  shroudedKeyBag: '2a864886f70d010c0a0102',
  certBag: '2a864886f70d010c0a0103',
  sha1TripleDes: '2a864886f70d010c0103',
  pbes2: '2a864886f70d01050d',
} as const
const ciphers: Readonly<Record<string, { readonly name: string; readonly key: number }>> = {
  '60864801650304012a': { name: 'aes-256-cbc', key: 32 },
  '608648016503040116': { name: 'aes-192-cbc', key: 24 },
  '608648016503040102': { name: 'aes-128-cbc', key: 16 },
}
const hashes: Readonly<Record<string, string>> = {
  '2a864886f70d0207': 'sha1',
  '2a864886f70d0209': 'sha256',
  '2a864886f70d020a': 'sha384',
  '2a864886f70d020b': 'sha512',
}
const hex = (node: Node): string => Buffer.from(node.body).toString('hex')
const numberOf = ({ body }: Node): number => body.reduce((sum, byte) => sum * 256 + byte, 0)

/** An octet string, whole or in pieces. */
const octets = (node: Node): Uint8Array =>
  node.tag & 0x20 ? Buffer.concat(children(node).map(octets)) : node.body

/** The key derivation of RFC 7292 appendix B.2 with SHA-1, for the empty password: two zero bytes. */
function deriveOld(id: 1 | 2, salt: Uint8Array, rounds: number, length: number): Uint8Array {
  const block = 64
  const fill = (bytes: Uint8Array) =>
    Uint8Array.from(
      { length: Math.ceil(bytes.length / block) * block },
      (_, i) => bytes[i % bytes.length] ?? 0,
    )
  const parts = [fill(salt), fill(Uint8Array.of(0, 0))]
  const input = Buffer.concat(parts)
  const out: Uint8Array[] = []
  // 24 bytes of key are two turns.
  for (let made = 0; made < length; made += 20) {
    let digest = createHash('sha1').update(Buffer.alloc(block, id)).update(input).digest()
    for (let round = 1; round < rounds; round++) digest = createHash('sha1').update(digest).digest()
    out.push(digest)
    const adding = fill(digest).subarray(0, block)
    for (let at = 0; at < input.length; at += block) {
      let carry = 1
      for (let i = block - 1; i >= 0; i--) {
        const sum = (input[at + i] ?? 0) + (adding[i] ?? 0) + carry
        input[at + i] = sum & 0xff
        carry = sum >> 8
      }
    }
  }
  return Buffer.concat(out).subarray(0, length)
}

/** Rounds of a key derivation that we are willing to make. */
const MOST_ROUNDS = 2_000_000

function decrypt(algorithm: Node, data: Uint8Array): Uint8Array {
  const scheme = hex(child(algorithm, 0))
  const parameters = child(algorithm, 1)
  const bounded = (rounds: number) => {
    if (rounds > MOST_ROUNDS) throw new Error('the key derivation takes too long')
    return rounds
  }
  if (scheme === oids.sha1TripleDes) {
    const salt = octets(child(parameters, 0))
    const rounds = bounded(numberOf(child(parameters, 1)))
    const key = deriveOld(1, salt, rounds, 24)
    const cipher = createDecipheriv('des-ede3-cbc', key, deriveOld(2, salt, rounds, 8))
    return Buffer.concat([cipher.update(data), cipher.final()])
  }
  if (scheme !== oids.pbes2) throw new Error('the file is protected in a way that is not known here')
  const [kdf, encryption] = children(parameters)
  if (kdf === undefined || encryption === undefined) throw new Error('a part is missing')
  const settings = children(child(kdf, 1))
  const [salt, rounds] = settings
  if (salt === undefined || rounds === undefined) throw new Error('a part is missing')
  const prf = settings.find(({ tag }) => tag === 0x30)
  const hash = prf === undefined ? 'sha1' : hashes[hex(child(prf, 0))]
  const cipher = ciphers[hex(child(encryption, 0))]
  if (hash === undefined || cipher === undefined)
    throw new Error('the file is protected in a way that is not known here')
  const key = pbkdf2Sync('', octets(salt), bounded(numberOf(rounds)), cipher.key, hash)
  const decipher = createDecipheriv(cipher.name, key, octets(child(encryption, 1)))
  return Buffer.concat([decipher.update(data), decipher.final()])
}

/**
 * The certificates and the key of a PKCS #12 file without a password.
 * @throws Error where it is none, or has a password
 */
export function openPkcs12(bytes: Uint8Array): {
  readonly certificates: X509Certificate[]
  readonly key: KeyObject | null
} {
  const file = read(bytes, 0)
  // PFX: version, authSafe ContentInfo { data, [0] OCTET STRING }.
  const safe = read(octets(child(file, 1, 1, 0)), 0)
  const certificates: X509Certificate[] = []
  let key: KeyObject | null = null
  for (const content of children(safe)) {
    const kind = hex(child(content, 0))
    let plain: Uint8Array
    if (kind === oids.data) plain = octets(child(content, 1, 0))
    else if (kind === oids.encryptedData) {
      // EncryptedData: version, { type, algorithm, [0] encrypted }.
      const info = child(content, 1, 0, 1)
      plain = decrypt(child(info, 1), octets(child(info, 2)))
    } else continue
    for (const bag of children(read(plain, 0))) {
      const what = hex(child(bag, 0))
      const value = child(bag, 1, 0)
      if (what === oids.certBag) certificates.push(new X509Certificate(octets(child(value, 1, 0))))
      else if (what === oids.keyBag)
        key = createPrivateKey({ key: Buffer.from(value.whole), format: 'der', type: 'pkcs8' })
      else if (what === oids.shroudedKeyBag) {
        const der = decrypt(child(value, 0), octets(child(value, 1)))
        key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })
      }
    }
  }
  return { certificates, key }
}
