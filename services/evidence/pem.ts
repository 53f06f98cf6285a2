/** The DER bytes of every block with this label in a PEM text, in order. A block that is not base64 counts as absent. */
export function pemBlocks(pem: string, label: string): Uint8Array<ArrayBuffer>[] {
  const pattern = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`, 'g')
  return [...pem.matchAll(pattern)].flatMap((match) => {
    try {
      return [Uint8Array.fromBase64(match[1] ?? '')]
    } catch {
      // The decoder's only way to say that the text is not base64.
      return []
    }
  })
}
