const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

/**
 * The address of a stand-in for the clouds.
 * @throws unless it is a loopback http address: no other one may take what is signed for a real cloud
 */
export function loopback(endpoint: string): URL {
  const url = new URL(endpoint)
  if (url.protocol !== 'http:' || !LOOPBACK.has(url.hostname))
    throw new Error(`The cloud's endpoint may only be overridden by a loopback http address, not ${endpoint}`)
  return url
}
