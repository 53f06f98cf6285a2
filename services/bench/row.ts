/** One line of the benchmark's table. */
export interface Row {
  readonly what: string
  /** With its unit. */
  readonly measured: string
  /** The goal in words, with its number; empty where a figure is only stated. */
  readonly goal: string
  /** Null where nothing was asked or nothing could be measured. */
  readonly met: boolean | null
}
