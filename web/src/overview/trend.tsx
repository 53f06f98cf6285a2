import { createEffect, on, onCleanup, onMount } from 'solid-js'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { theme } from '../shell/theme.ts'
import { percent } from '../numbers.ts'
import { DAY } from '../time.ts'

export interface TrendPoint {
  readonly at: string
  readonly score: number | null
  readonly coverage: number
}

/** The score (line) and its coverage (dashed) over time. The words beside it say the same to those who do not see it. */
export function Trend(props: { points: readonly TrendPoint[]; height?: number }) {
  let place: HTMLDivElement | undefined
  let chart: uPlot | undefined
  const data = (): uPlot.AlignedData => [
    props.points.map((p) => Date.parse(p.at) / 1000),
    props.points.map((p) => p.score),
    props.points.map((p) => p.coverage),
  ]
  const spanMs = (): number =>
    Date.parse(props.points.at(-1)?.at ?? '') - Date.parse(props.points[0]?.at ?? '')
  const says = (): string => {
    const scored = props.points.filter((p) => p.score !== null)
    const first = scored[0]?.score
    const last = scored.at(-1)?.score
    if (first === undefined || first === null || last === undefined || last === null)
      return 'No score over time yet.'
    return `Score over ${scored.length} evaluations: from ${percent(first)} to ${percent(last)}.`
  }
  /** Canvas knows no custom properties: colours are read from the theme as it is now. */
  const draw = (): void => {
    if (!place) return
    chart?.destroy()
    const style = getComputedStyle(place)
    const probe = (name: string): string => {
      const span = document.createElement('span')
      span.dataset['probe'] = name
      place?.append(span)
      const color = getComputedStyle(span).color
      span.remove()
      return color
    }
    const axis = {
      stroke: probe('axis'),
      font: `11px ${style.fontFamily}`,
      grid: { stroke: probe('grid'), width: 1 },
      ticks: { show: false },
      border: { show: false },
    }
    chart = new uPlot(
      {
        width: Math.max(120, place.clientWidth),
        height: props.height ?? 132,
        padding: [8, 4, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 7 } },
        scales: { y: { range: [0, 100] } },
        axes: [
          { ...axis, size: 24, gap: 4, space: 70, values: spanMs() < 2 * DAY ? '{HH}:{mm}' : '{D} {MMM}' },
          // Where the bands of the score begin.
          { ...axis, size: 30, gap: 4, splits: () => [0, 50, 75, 90] },
        ],
        series: [
          {},
          {
            label: 'Score',
            stroke: probe('score'),
            width: 2,
            fill: probe('fill'),
            spanGaps: false,
            points: { show: props.points.length < 3 },
          },
          { label: 'Coverage', stroke: probe('coverage'), width: 1.5, dash: [4, 4], points: { show: false } },
        ],
      },
      data(),
      place,
    )
  }
  onMount(() => {
    draw()
    const system = globalThis.matchMedia('(prefers-color-scheme: dark)')
    system.addEventListener('change', draw)
    const sized = new ResizeObserver(() => {
      if (place && chart && Math.abs(place.clientWidth - chart.width) > 1)
        chart.setSize({ width: Math.max(120, place.clientWidth), height: props.height ?? 132 })
    })
    if (place) sized.observe(place)
    onCleanup(() => {
      system.removeEventListener('change', draw)
      sized.disconnect()
      chart?.destroy()
    })
  })
  createEffect(on(theme, draw, { defer: true }))
  createEffect(on(data, (d) => chart?.setData(d), { defer: true }))
  return <div class="trend" role="img" aria-label={says()} ref={place} />
}
