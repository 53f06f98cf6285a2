/// <reference types="node" />

/** Where the built console is asked for; set by the global setup, read in the workers. */
export const BUILT_CONSOLE_VARIABLE = 'ATTESTRY_TEST_CONSOLE'

/** The folder of the console as it is built for users, once for a whole run. @throws what the build said, when it failed */
export async function builtConsole(): Promise<string> {
  const desk = process.env[BUILT_CONSOLE_VARIABLE]
  if (desk === undefined) throw new Error('the global setup of the console is not named by this project')
  const response = await fetch(desk, { signal: AbortSignal.timeout(120_000) })
  const text = await response.text()
  if (!response.ok) throw new Error(`the console could not be built: ${text}`)
  return text
}
