import SearchIcon from 'lucide-solid/icons/search'
import { createEffect, createSignal, onCleanup } from 'solid-js'

/** Typing settles before the server is asked, milliseconds. */
const PAUSE_MS = 180

/** The search box of a list: `/` focuses it, Escape clears it. */
export function SearchBox(props: { label: string; value: string; onChange: (value: string) => void }) {
  const [text, setText] = createSignal('')
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Values that were said and have not come back yet, oldest first. */
  let said: readonly string[] = []
  // What comes back was typed a moment ago: by now there may be more of it, or a blank before the next word.
  createEffect(() => {
    const back = said.indexOf(props.value)
    if (back === -1) {
      // Somebody else changed it: what was about to be said is of before.
      forget()
      setText(props.value)
    }
    said = back === -1 ? [] : said.slice(back + 1)
  })
  const forget = (): void => {
    clearTimeout(timer)
    timer = undefined
  }
  onCleanup(forget)
  const say = (value: string): void => {
    forget()
    const wanted = value.trim()
    if (wanted !== props.value) said = [...said, wanted]
    props.onChange(wanted)
  }
  return (
    <label class="search">
      <SearchIcon size={14} aria-hidden="true" />
      <input
        type="search"
        data-search=""
        aria-label={props.label}
        placeholder={props.label}
        maxLength={100}
        spellcheck={false}
        value={text()}
        onInput={(event) => {
          setText(event.currentTarget.value)
          const typed = event.currentTarget.value
          forget()
          timer = setTimeout(() => say(typed), PAUSE_MS)
        }}
        // Whoever goes on to a button that clears all is not to be followed by what was typed before.
        onBlur={() => {
          if (timer !== undefined) say(text())
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') say(text())
          if (event.key !== 'Escape') return
          if (text() === '') event.currentTarget.blur()
          setText('')
          say('')
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  )
}
