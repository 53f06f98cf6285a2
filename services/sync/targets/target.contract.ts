import { Secret } from '@attestry/kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Capabilities, Mark, Metadata, RemoteEntry, Target, Write } from './target.ts'

/** A target to try, with the far side in the test's hand. */
export interface Subject {
  readonly target: Target
  /** Makes an object that no route owns, by the provider's own means. */
  plant(name: string, value: string): Promise<void>
  /** Changes an object's value by the provider's own means, as a person at its console would. */
  tamper(name: string, value: string): Promise<void>
  /** Deletes an object by the provider's own means, so that it waits for its end where the provider does that. */
  drop(name: string): Promise<void>
  /** What a consumer of the object reads; null where there is nothing to read. Bytes as base64 where binary. */
  served(name: string): Promise<string | null>
  /** Lets a second pass at the far side, where times are told to the second. */
  pass?(): void
  /** A name that the target takes and no other test uses. */
  name(topic: string): string
  /** A value that the target takes; certificates where it takes those. Equal topics give equal values. */
  value(topic: string): string
  close(): Promise<void>
}

const signal = () => AbortSignal.timeout(20_000)

const markOfVersion = (version: number, more: Partial<Mark> = {}): Mark => ({
  route: 'route-0123456789',
  secret: 'secret-0123456789abcdef01234567',
  vault: 'vault-0123456789abcdef01234567',
  sourceVersion: version.toString(16).padStart(32, '0'),
  mac: version.toString(16).padStart(64, 'a'),
  ...more,
})

const plain: Metadata = { tags: [['team', 'payments']], contentType: null, expires: null, notBefore: null }

/** What every target must do, for a sync to be right on it. `can` is what this one says it can. */
export function targetContract(name: string, can: Capabilities, open: () => Promise<Subject>): void {
  describe(`${name} as a target`, () => {
    let subject: Subject
    let target: Target
    beforeAll(async () => {
      subject = await open()
      target = subject.target
      expect(target.can).toBe(can)
    })
    afterAll(() => subject.close())

    const write = (topic: string, version: number, more: Partial<Mark> = {}): Write => ({
      value: { bytes: new Secret(subject.value(topic)), form: 'text' },
      mark: markOfVersion(version, more),
      metadata: plain,
    })
    const listed = async (): Promise<RemoteEntry[]> => {
      const all: RemoteEntry[] = []
      for await (const page of target.list(signal())) all.push(...page)
      return all
    }
    const described = async (at: string): Promise<RemoteEntry> => {
      const entry = await target.describe(at, signal())
      if (!entry) throw new Error(`${at} is not there`)
      return entry
    }
    const written = (answer: Awaited<ReturnType<Target['put']>>) => {
      if ('refused' in answer) throw new Error(`refused: ${answer.refused} ${answer.detail}`)
      return answer
    }
    /** Writes and, where the provider takes the mark in a request of its own, marks. */
    const put = async (at: string, one: Write) => {
      subject.pass?.()
      const answer = written(await target.put(await described(at), one, signal()))
      if (answer.marked) return answer
      const marked = await target.mark(await described(at), one.mark, one.metadata, signal())
      if ('refused' in marked) throw new Error(`not marked: ${marked.refused}`)
      return { ...answer, stamp: marked.stamp }
    }
    const tamper = async (at: string, value: string) => {
      subject.pass?.()
      await subject.tamper(at, value)
    }
    const create = async (at: string, one: Write) => {
      const answer = written(await target.create(at, one, signal()))
      if (answer.marked) return answer
      const marked = await target.mark(await described(at), one.mark, one.metadata, signal())
      if ('refused' in marked) throw new Error(`not marked: ${marked.refused}`)
      return { ...answer, stamp: marked.stamp }
    }

    test('test() tells which account was reached', async () => {
      expect((await target.test(signal())).account).not.toBe('')
    })

    test('what create() wrote is served, marked, and found by list() and describe()', async () => {
      const at = subject.name('created')
      const answer = await create(at, write('first', 1))
      expect(await subject.served(at)).toBe(subject.value('first'))
      const entry = await described(at)
      expect(entry).toMatchObject({ state: 'live', mark: markOfVersion(1), version: answer.version })
      const inList = (await listed()).find((e) => e.id === entry.id)
      expect(inList?.state).toBe('live')
      expect([markOfVersion(1), 'unseen']).toContainEqual(inList?.mark)
      expect((can.drift === 'listed' ? inList : entry)?.stamp).toBe(answer.stamp)
    })

    test('what is written right after another version can be told from it', async () => {
      const at = subject.name('at-once')
      await create(at, write('first', 1))
      // No second passes in between, though the provider may tell times by nothing finer.
      const answer = written(await target.put(await described(at), write('second', 2), signal()))
      if (!answer.marked) await target.mark(await described(at), markOfVersion(2), plain, signal())
      expect(await described(at)).toMatchObject({ version: answer.version, mark: markOfVersion(2) })
      expect(await subject.served(at)).toBe(subject.value('second'))
    })

    test('create() on a name that is taken changes nothing and says so', async () => {
      const at = subject.name('taken')
      await subject.plant(at, subject.value('theirs'))
      const answer = await target.create(at, write('ours', 1), signal())
      expect(answer).toMatchObject({ refused: 'exists' })
      expect(await subject.served(at)).toBe(subject.value('theirs'))
      expect((await described(at)).mark).toBeNull()
    })

    test('put() serves the new value; the same source version again makes nothing new', async () => {
      const at = subject.name('put')
      await create(at, write('one', 1))
      const first = await put(at, write('two', 2))
      expect(await subject.served(at)).toBe(subject.value('two'))
      const again = await put(at, write('two', 2))
      expect(again.version).toBe(first.version)
      expect((await described(at)).version).toBe(first.version)
      expect((await described(at)).mark).toEqual(markOfVersion(2))
    })

    test('going back to an earlier value is a new version like any other', async () => {
      const at = subject.name('back')
      await create(at, write('a', 1))
      await put(at, write('b', 2))
      await put(at, write('a', 3))
      expect(await subject.served(at)).toBe(subject.value('a'))
      expect((await described(at)).mark).toEqual(markOfVersion(3))
    })

    test('a change by somebody else changes the stamp, and no value had to be read', async () => {
      const at = subject.name('tampered')
      const answer = await create(at, write('mine', 1))
      await tamper(at, subject.value('theirs'))
      const seen = can.drift === 'listed' ? (await listed()).find((e) => e.name === at) : await described(at)
      expect(seen).toBeDefined()
      expect(seen?.stamp).not.toBe(answer.stamp)
    })

    test('put() of a source version that somebody wrote over serves it again', async () => {
      const at = subject.name('reasserted')
      await create(at, write('ours', 1))
      await tamper(at, subject.value('theirs'))
      await put(at, write('ours', 1))
      expect(await subject.served(at)).toBe(subject.value('ours'))
      expect((await described(at)).mark).toEqual(markOfVersion(1))
    })

    test('mark() takes over what is there without touching its value', async () => {
      const at = subject.name('adopted')
      await subject.plant(at, subject.value('grown'))
      const before = await described(at)
      expect(before.mark).toBeNull()
      const answer = await target.mark(before, markOfVersion(7), plain, signal())
      expect(answer).not.toHaveProperty('refused')
      expect((await described(at)).mark).toEqual(markOfVersion(7))
      expect(await subject.served(at)).toBe(subject.value('grown'))
    })

    test('what remove() took can be restored where the target says so, and then be written to', async () => {
      const at = subject.name('removed')
      await create(at, write('kept', 1))
      expect(await target.remove(await described(at), signal())).toBeNull()
      const left = await target.describe(at, signal())
      expect(left?.state).toBe(can.restores ? 'pending-deletion' : undefined)
      const next = write('next', 2)
      const early = left ? await target.create(at, next, signal()) : { refused: 'pending-deletion' }
      expect(early).toMatchObject({ refused: 'pending-deletion' })
      const refusal = left && (await target.restore(left, signal()))
      expect(refusal).toBeNull()
      await (left ? put(at, next) : create(at, next))
      expect(await subject.served(at)).toBe(subject.value('next'))
    })

    test('disable() keeps the object and serves nothing where the target can; a later put() serves again', async () => {
      const at = subject.name('disabled')
      await create(at, write('on', 1))
      const answer = can.disables ? await target.disable(await described(at), signal()) : {}
      expect(answer).not.toHaveProperty('refused')
      expect((await described(at)).state).toBe(can.disables ? 'disabled' : 'live')
      expect(await subject.served(at)).toBe(can.disables ? null : subject.value('on'))
      await put(at, write('again', 2))
      expect(await subject.served(at)).toBe(subject.value('again'))
      expect((await described(at)).state).toBe('live')
    })

    test('a value beyond the limit is refused by name, and nothing is made', async () => {
      const at = subject.name('large')
      const large: Write = {
        ...write('large', 1),
        value: { bytes: new Secret('x'.repeat(can.value.maxBytes + 1)), form: 'text' },
      }
      expect(await target.create(at, large, signal())).toMatchObject({
        refused: can.takes === 'certificates' ? 'bad-certificate' : 'too-large',
      })
      expect(await target.describe(at, signal())).toBeNull()
    })

    test('names are told apart exactly as far as the target says', async () => {
      const at = subject.name('Case')
      await create(at, write('upper', 1))
      const other = await target.describe(at.toUpperCase(), signal())
      const same = can.foldsCase ? (await described(at)).id : undefined
      expect(other?.id).toBe(same)
    })

    test('an abort ends a listing', async () => {
      const ended = AbortSignal.abort()
      const all = async () => {
        for await (const page of target.list(ended)) expect(page).toBeDefined()
      }
      await expect(all()).rejects.toThrow(/abort/i)
    })
  })
}
