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
    if (back === -1) setText(props.value)
    said = back === -1 ? [] : said.slice(back + 1)
  })
  onCleanup(() => clearTimeout(timer))
  const say = (value: string, at: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      const wanted = value.trim()
      if (wanted !== props.value) said = [...said, wanted]
      props.onChange(wanted)
    }, at)
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
          say(event.currentTarget.value, PAUSE_MS)
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') say(text(), 0)
          if (event.key !== 'Escape') return
          if (text() === '') event.currentTarget.blur()
          setText('')
          say('', 0)
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  )
}
