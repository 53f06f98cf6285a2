import { vendorHttp } from '@attestry/contracts/http'
import { operation, type Operation, type Transport } from '../operation.ts'
import { createMarks } from './marks.ts'

export type FleetApi = {
  readonly [N in keyof typeof vendorHttp]: Operation<(typeof vendorHttp)[N]>
}

/** Where the token lies: of this tab alone, and gone with it. */
const TOKEN = 'attestry.vendor-token'

export const keepToken = (token: string | null): void => {
  if (token === null) sessionStorage.removeItem(TOKEN)
  else sessionStorage.setItem(TOKEN, token)
}

const marks = createMarks(() => crypto.randomUUID())

const licenseService: Transport = {
  fetchIt: (input, init) => fetch(input, init),
  far: 'the licence service',
  headers: (asked) => {
    const token = sessionStorage.getItem(TOKEN)
    const mark = marks.of(asked)
    return {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(mark === undefined ? {} : { 'idempotency-key': mark }),
    }
  },
  heard: (asked, status) => marks.heard(asked, status),
}

// Object.fromEntries forgets keys; they are those of the table that FleetApi is mapped from.
export const fleetApi = Object.fromEntries(
  Object.entries(vendorHttp).map(([name, line]) => [name, operation(`vendor.${name}`, line, licenseService)]),
) as unknown as FleetApi
