import { Denied, Secret } from '@attestry/kit'
import * as z from 'zod'
import { type Azure, ourClaims, type Rest, restClient, unlessAbsent } from './call.ts'

/*
 * Microsoft Graph, as much of it as rotation needs: the credentials of an application and of its service principal, one
 * added and one removed, the directory's policy on them, and when each was last used.
 */

export const GRAPH = 'https://graph.microsoft.com'

const When = z.string().nullish()
const Credential = z.object({
  keyId: z.string(),
  displayName: z.string().nullish(),
  startDateTime: When,
  endDateTime: When,
})
const Holder = z.object({
  id: z.string(),
  appId: z.string(),
  tags: z.array(z.string()).nullish(),
  passwordCredentials: z.array(Credential).nullish(),
  keyCredentials: z.array(Credential).nullish(),
})
const Restriction = z.object({
  restrictionType: z.string(),
  state: z.string().nullish(),
  maxLifetime: z.string().nullish(),
})
const Restrictions = z.object({
  passwordCredentials: z.array(Restriction).nullish(),
})
const Policy = z.object({
  isEnabled: z.boolean(),
  applicationRestrictions: Restrictions.nullish(),
  servicePrincipalRestrictions: Restrictions.nullish(),
})
const Added = z.object({ keyId: z.string(), secretText: z.string().min(1), endDateTime: When })
const Activities = z.object({
  value: z.array(
    z.object({
      keyId: z.string(),
      signInActivity: z.object({ lastSignInDateTime: When }).nullish(),
    }),
  ),
  '@odata.nextLink': z.string().optional(),
})

export type HolderSet = 'applications' | 'servicePrincipals'
export interface HeldCredential {
  readonly set: HolderSet
  /** Object id of the application or service principal that it stands on. */
  readonly holder: string
  readonly type: 'secret' | 'certificate'
  readonly keyId: string
  readonly name: string | null
  readonly startsAt: string | null
  readonly endsAt: string | null
}

const instant = (text: string | null | undefined): string | null =>
  text ? Temporal.Instant.from(text).toString({ smallestUnit: 'millisecond' }) : null

const SELECT = '$select=id,appId,tags,passwordCredentials,keyCredentials'

const credentialsOf = (set: HolderSet, holder: z.infer<typeof Holder>): HeldCredential[] => {
  const held = (type: HeldCredential['type']) => (one: z.infer<typeof Credential>) => ({
    set,
    holder: holder.id,
    type,
    keyId: one.keyId,
    name: one.displayName ?? null,
    startsAt: instant(one.startDateTime),
    endsAt: instant(one.endDateTime),
  })
  return [
    ...(holder.passwordCredentials ?? []).map(held('secret')),
    ...(holder.keyCredentials ?? []).map(held('certificate')),
  ]
}

export function directory(azure: Azure) {
  const graph: Rest = restClient(azure, GRAPH)
  const gone = /ResourceNotFound$/

  return {
    /** Every credential that signs the application in, whether it stands on it or on its service principal. */
    async credentials(
      appId: string,
      signal: AbortSignal,
    ): Promise<{ all: HeldCredential[]; tags: string[] }> {
      const id = encodeURIComponent(appId)
      const [application, principal] = await Promise.all([
        unlessAbsent(graph('GET', `/v1.0/applications(appId='${id}')?${SELECT}`, signal), gone),
        unlessAbsent(graph('GET', `/v1.0/servicePrincipals(appId='${id}')?${SELECT}`, signal), gone),
      ])
      if (!application && !principal) throw new Denied('NotFound', 'The application is gone')
      const holders: [HolderSet, z.infer<typeof Holder>][] = [
        ...(application ? [['applications', Holder.parse(application.body)] as const] : []),
        ...(principal ? [['servicePrincipals', Holder.parse(principal.body)] as const] : []),
      ].map(([set, holder]) => [set, holder])
      return {
        all: holders
          .flatMap(([set, holder]) => credentialsOf(set, holder))
          .toSorted((a, b) => (a.keyId < b.keyId ? -1 : 1)),
        tags: holders.flatMap(([, { tags }]) => tags ?? []),
      }
    },

    /**
     * Adds a password credential. The value is in the answer and nowhere else; whoever asked wipes it.
     * @see https://learn.microsoft.com/graph/api/application-addpassword
     */
    async addPassword(
      set: HolderSet,
      holder: string,
      wanted: { readonly name: string; readonly endsAt: string | null },
      signal: AbortSignal,
    ): Promise<{ keyId: string; value: Secret; endsAt: string | null }> {
      const { body } = await graph('POST', `/v1.0/${set}/${encodeURIComponent(holder)}/addPassword`, signal, {
        passwordCredential: {
          displayName: wanted.name,
          ...(wanted.endsAt === null ? {} : { endDateTime: wanted.endsAt }),
        },
      })
      const { keyId, secretText, endDateTime } = Added.parse(body)
      return { keyId, value: new Secret(secretText), endsAt: instant(endDateTime) }
    },

    /** @see https://learn.microsoft.com/graph/api/application-removepassword */
    async removePassword(set: HolderSet, holder: string, keyId: string, signal: AbortSignal): Promise<void> {
      await graph('POST', `/v1.0/${set}/${encodeURIComponent(holder)}/removePassword`, signal, { keyId })
    },

    /** Whether our identity may change the holder's credentials: a role for all, or one for what it owns. */
    async mayChange(set: HolderSet, holder: string, signal: AbortSignal): Promise<string | null> {
      const { roles, oid } = await ourClaims(azure, GRAPH)
      const has = (role: string) => Array.isArray(roles) && roles.includes(role)
      if (has('Application.ReadWrite.All')) return null
      if (!has('Application.ReadWrite.OwnedBy'))
        return 'The identity lacks the Graph application role Application.ReadWrite.OwnedBy.'
      const path = `/v1.0/${set}/${encodeURIComponent(holder)}/owners?$select=id`
      const { body } = await graph('GET', path, signal)
      const owners = z.object({ value: z.array(z.object({ id: z.string() })) }).parse(body).value
      return owners.some(({ id }) => id === oid)
        ? null
        : `The identity is not an owner of this ${set === 'applications' ? 'application' : 'service principal'}, and Application.ReadWrite.OwnedBy reaches only what it owns.`
    },

    /** Longest life in days that the directory's default policy gives a password; 0: none may be added; null: no cap. */
    async longestPasswordDays(set: HolderSet, signal: AbortSignal): Promise<number | null> {
      const { body } = await graph('GET', '/v1.0/policies/defaultAppManagementPolicy', signal)
      const policy = Policy.parse(body)
      if (!policy.isEnabled) return null
      const restrictions =
        set === 'applications' ? policy.applicationRestrictions : policy.servicePrincipalRestrictions
      const active = (restrictions?.passwordCredentials ?? []).filter(({ state }) => state !== 'disabled')
      if (active.some(({ restrictionType }) => restrictionType === 'passwordAddition')) return 0
      const caps = active.flatMap(({ restrictionType, maxLifetime }) =>
        restrictionType === 'passwordLifetime' && maxLifetime
          ? [Temporal.Duration.from(maxLifetime).total({ unit: 'days', relativeTo: '2026-01-01' })]
          : [],
      )
      return caps.length === 0 ? null : Math.min(...caps)
    },

    /**
     * When a credential was last used, from the report on each; undefined where it may not be read.
     * @see https://learn.microsoft.com/graph/api/reportroot-list-appcredentialsigninactivities (beta, global cloud)
     */
    async lastSignIn(
      appId: string,
      keyId: string,
      signal: AbortSignal,
    ): Promise<{ lastUsedAt: string | null } | undefined> {
      const filter = encodeURIComponent(`appId eq '${appId}'`)
      let path: string | undefined = `/beta/reports/appCredentialSignInActivities?$filter=${filter}`
      try {
        // An application has few credentials; a page of the report holds hundreds.
        for (let pages = 0; path !== undefined && pages < 20; pages++) {
          const { body } = await graph('GET', path, signal)
          const page = Activities.parse(body)
          const row = page.value.find((one) => one.keyId === keyId)
          if (row) return { lastUsedAt: instant(row.signInActivity?.lastSignInDateTime) }
          const next: string | undefined = page['@odata.nextLink']
          path = next?.startsWith(`${GRAPH}/`) ? next.slice(GRAPH.length) : undefined
        }
        return { lastUsedAt: null }
      } catch (error) {
        // Not permitted, or a cloud that has no such report: nothing was observed, and the caller says so.
        if (error instanceof Denied) return undefined
        throw error
      }
    },
  }
}

export type Directory = ReturnType<typeof directory>
