import { Instant } from '../ui/instant.tsx'

/** The scope statement that holds, as packets print it. */
export function Declared(props: { statement: string; at: string }) {
  return (
    <figure class="declared">
      <blockquote>{props.statement}</blockquote>
      <figcaption class="faint">
        Scope statement, declared <Instant at={props.at} />; printed in the packet and held against what the
        scans reached.
      </figcaption>
    </figure>
  )
}
