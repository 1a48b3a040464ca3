import type { Problem } from '../../api/problem.js'
import { keysOf, nearest, type ConfigNode, type Written } from '../tree.js'

/** Collects what is wrong, each with the place where it was written. */
export class Faults {
  readonly problems: Problem[] = []

  /** At a value. */
  at(node: { readonly at: Written }, code: string, message: string, hint?: string): void {
    this.#add(code, node.at.path, message, hint, node.at)
  }

  /** At a path below a value, whether something was written there or not. */
  below(node: ConfigNode, relative: string, code: string, message: string, hint?: string): void {
    const found = nearest(node, keysOf(relative))
    this.#add(code, found.exact ? found.node.at.path : `${node.at.path}${relative}`.replace(/^\./, ''), message, hint, found.node.at)
  }

  /** Where nothing was written. */
  path(path: string, code: string, message: string, hint?: string): void {
    this.#add(code, path, message, hint, undefined)
  }

  #add(code: string, path: string, message: string, hint: string | undefined, at: Written | undefined): void {
    const problem: Problem = { code, severity: 'error', path, message, hint, file: at?.file, line: at?.line }
    // What `default` says wrongly is wrong in every host that takes it over, but it is one mistake.
    if (!this.problems.some((p) => p.code === code && p.path === path && p.message === message && p.line === problem.line)) this.problems.push(problem)
  }
}
