import { useSearchParams } from '@solidjs/router'
import FileCheck from 'lucide-solid/icons/file-check'
import Plus from 'lucide-solid/icons/plus'
import { createSignal, Show } from 'solid-js'
import { api } from '../api.ts'
import { counted } from '../numbers.ts'
import { createReading } from '../reading.ts'
import { rolesNeeded } from '../session/roles.ts'
import { useSession } from '../session/session.tsx'
import { Button } from '../ui/button.tsx'
import { Empty, Refused } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'
import { BuildBundle } from './build.tsx'
import { BundlePage, BUNDLES_A_PAGE } from './bundle-page.tsx'
import { Checkpoints } from './checkpoints.tsx'
import { Handover } from './handover.tsx'
import { Retention } from './retention.tsx'
import { Scope } from './scope.tsx'

/** Bundles: build, watch, fetch, and how anybody verifies them. */
export function Evidence() {
  const { may } = useSession()
  return (
    <Show
      when={may(api.evidence.listBundles)}
      fallback={
        <div class="page">
          <PageHead title="Evidence" />
          <Refused what="Evidence" needs={rolesNeeded(api.evidence.listBundles.endpoint)} />
        </div>
      }
    >
      <Bundles />
    </Show>
  )
}

function Bundles() {
  const { may } = useSession()
  const [search, setSearch] = useSearchParams<{ build?: string }>()
  const [fresh, setFresh] = createSignal('')
  // The question that the first page of the list asks too: it is asked once.
  const first = createReading(api.evidence.listBundles, () => ({ query: { limit: BUNDLES_A_PAGE } }))
  const building = (): boolean => search.build === 'yes' && may(api.evidence.requestBundle)
  const ask = (): void => setSearch({ build: 'yes' })
  return (
    <div class="page">
      <PageHead
        title="Evidence"
        note={<Show when={first.data()}>{(page) => <>{counted(page().total, 'bundle')}</>}</Show>}
        actions={
          <Show when={may(api.evidence.requestBundle)}>
            <Button kind="primary" onClick={ask} icon={<Plus size={14} aria-hidden="true" />}>
              Build a bundle
            </Button>
          </Show>
        }
      />
      <div class="two-columns">
        <div>
          <BundlePage
            fresh={fresh()}
            empty={
              <Empty
                title="No bundle yet"
                icon={<FileCheck size={20} aria-hidden="true" />}
                action={
                  <Show when={may(api.evidence.requestBundle)}>
                    <Button onClick={ask}>Build the first one</Button>
                  </Show>
                }
              >
                A bundle holds reports for a period, their signature, a timestamp, and the ledger’s events
                they can be recomputed from.
              </Empty>
            }
          />
        </div>
        <div class="column-side">
          <Handover />
          <Scope />
          <Show when={may(api.evidence.listCheckpoints)}>
            <Checkpoints />
          </Show>
          <Show when={may(api.audit.readRetention)}>
            <Retention />
          </Show>
        </div>
      </div>
      <BuildBundle
        open={building()}
        onClose={() => setSearch({ build: undefined }, { replace: true })}
        onAsked={setFresh}
      />
    </div>
  )
}
