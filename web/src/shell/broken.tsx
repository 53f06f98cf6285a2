import { useLocation } from '@solidjs/router'
import { createEffect, on } from 'solid-js'
import { problemOf } from '../problem.ts'
import { ProblemNotice } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'

/**
 * In place of a page that could not be shown: its file is of a version that is no longer served, or it broke. The
 * navigation beside it still works, and leads out of it.
 */
export function Broken(props: { thrown: unknown; leave: () => void }) {
  const location = useLocation()
  createEffect(
    on(
      () => location.pathname,
      () => props.leave(),
      { defer: true },
    ),
  )
  // The boundary has caught it; whoever looks for the cause finds it where errors of a page are.
  createEffect(() => reportError(props.thrown))
  return (
    <div class="page">
      <PageHead title="This page could not be shown" />
      <ProblemNotice problem={problemOf(props.thrown)} again={() => globalThis.location.reload()} />
    </div>
  )
}
