import * as Kobalte from '@kobalte/core/dialog'
import X from 'lucide-solid/icons/x'
import { type ParentProps, Show } from 'solid-js'

/** A modal dialog: focus stays inside, Escape closes, focus returns to where it came from. */
export function Dialog(
  props: ParentProps<{
    open: boolean
    onClose: () => void
    title: string
    description?: string
    wide?: boolean
    /** What may not be lost by a click beside it (a password shown once). */
    keep?: boolean
  }>,
) {
  let content: HTMLDivElement | undefined
  return (
    <Kobalte.Root open={props.open} onOpenChange={(open) => (open ? undefined : props.onClose())}>
      <Kobalte.Portal>
        <Kobalte.Overlay class="dialog-overlay" />
        <div class="dialog-place">
          <Kobalte.Content
            ref={content}
            class="dialog"
            data-wide={props.wide ? '' : undefined}
            onOpenAutoFocus={(event) => {
              const first = content?.querySelector<HTMLElement>(
                'input:not([tabindex="-1"]), select, textarea, .dialog-actions button',
              )
              if (!first) return
              event.preventDefault()
              first.focus()
            }}
            onInteractOutside={(event) => (props.keep ? event.preventDefault() : undefined)}
          >
            {/* No <header>: outside an article that would be a second banner of the page. */}
            <div class="dialog-head">
              <Kobalte.Title class="dialog-title">{props.title}</Kobalte.Title>
              <Kobalte.CloseButton class="button" data-kind="quiet" data-square="" aria-label="Close">
                <X size={16} aria-hidden="true" />
              </Kobalte.CloseButton>
            </div>
            <Show when={props.description}>
              <Kobalte.Description class="dialog-description">{props.description}</Kobalte.Description>
            </Show>
            {props.children}
          </Kobalte.Content>
        </div>
      </Kobalte.Portal>
    </Kobalte.Root>
  )
}
