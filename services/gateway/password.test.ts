import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { hashPassword, isOutdated, oneTimePassword, verifyPassword } from './password.ts'

describe('hashPassword()', () => {
  test('makes a PHC string of argon2id with the costs that OWASP asks for', async () => {
    const phc = await hashPassword('a password', randomBytes)
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(isOutdated(phc)).toBe(false)
    expect(isOutdated(phc.replace('t=2', 't=1'))).toBe(true)
  })

  test('salts: equal passwords have different hashes', async () => {
    expect(await hashPassword('same', randomBytes)).not.toBe(await hashPassword('same', randomBytes))
  })
})

describe('verifyPassword()', () => {
  test('knows the password, however its accents were typed, and no other', async () => {
    const phc = await hashPassword('caf\u00e9 au lait', randomBytes)
    expect(await verifyPassword('cafe\u0301 au lait', phc)).toBe(true)
    expect(await verifyPassword('cafe au lait', phc)).toBe(false)
    expect(await verifyPassword('', phc)).toBe(false)
  })

  test('checks a hash of another implementation and other costs', async () => {
    // The argon2id test vector of the reference implementation's test.c: m=2^8, t=2, p=1.
    const reference = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'
    expect(await verifyPassword('password', reference)).toBe(true)
    expect(await verifyPassword('passwore', reference)).toBe(false)
  })

  test('says of a damaged row that it is damaged, and lets nobody in', async () => {
    for (const phc of ['', 'x', '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65', '$2b$10$abc'])
      await expect(verifyPassword('password', phc)).rejects.toThrow('not an argon2id PHC string')
  })
})

describe('oneTimePassword()', () => {
  test('has a hundred bits in characters that are hard to confuse', () => {
    const password = oneTimePassword(randomBytes)
    expect(password).toMatch(/^([a-km-z2-9]{4}-){4}[a-km-z2-9]{4}$/)
    expect(new Set(Array.from({ length: 100 }, () => oneTimePassword(randomBytes))).size).toBe(100)
  })
})
