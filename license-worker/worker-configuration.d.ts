/** Bindings of the Worker, as wrangler.jsonc declares them; SIGNING_KEY is a secret (an Ed25519 JWK). */
interface Env {
  readonly LICENSES: {
    get(name: string, type: 'json'): Promise<unknown>
    put(name: string, value: string): Promise<void>
  }
  readonly SIGNING_KEY: string
  readonly SIGNING_KEY_ID: string
}

declare module 'cloudflare:workers' {
  export const env: Env
}
