import type { AzureAccess } from '@attestry/kit/azure'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Clock, Secret } from '@attestry/kit'
import { blobSink } from './blob.ts'
import type { AuditSink } from './sink.ts'
import { syslogSink } from './syslog.ts'
import { webhookSink } from './webhook.ts'

/** Where the audit log is sent; what is left out is not sent to. */
export interface SinkOptions {
  readonly syslog?: { readonly address: string; readonly caFile?: string | undefined } | undefined
  readonly webhook?: { readonly address: string; readonly key: Secret } | undefined
  readonly blob?:
    | { readonly container: Secret; readonly credential: () => AzureAccess['credential'] }
    | undefined
}

/** The targets that are configured. */
export function sinksOf(
  { syslog, webhook, blob }: SinkOptions,
  world: { readonly clock: Clock; readonly fetch: (url: string, init: RequestInit) => Promise<Response> },
): AuditSink[] {
  return [
    ...(syslog
      ? [
          syslogSink({
            address: syslog.address,
            hostname: hostname(),
            ...(syslog.caFile === undefined ? {} : { ca: readFileSync(syslog.caFile, 'utf8') }),
          }),
        ]
      : []),
    ...(webhook ? [webhookSink({ ...webhook, ...world })] : []),
    ...(blob ? [blobSink({ container: blob.container.text(), credential: blob.credential })] : []),
  ]
}
