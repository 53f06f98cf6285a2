import type { Problem } from '@attestry/contracts/http'
import { ProblemNotice } from '../ui/notice.tsx'
import { nextStep } from './words.ts'

/** A refusal or failure, with what a vendor can do about it. */
export function FleetNotice(props: { problem: Problem | undefined; again?: () => void }) {
  return (
    <ProblemNotice
      problem={props.problem}
      next={nextStep}
      {...(props.again === undefined ? {} : { again: props.again })}
    />
  )
}
