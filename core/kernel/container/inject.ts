import type { Token } from '../../api/kernel.js'
import { inject as tsyringeInject, injectable as tsyringeInjectable } from './tsyringe.js'

/** Key of a token in the container: its id, apart from anything else that may be registered there. */
export function keyOf(token: Token<unknown>): string {
  return `mailwright:${token.id}`
}

/**
 * Marks a constructor parameter. The compiler passes the parameter's index as a literal, so a token whose type does not
 * fit that parameter is an error at the decorator.
 */
export function inject<T>(token: Token<T>) {
  return <C extends abstract new (...args: never[]) => unknown, I extends number>(
    target: C,
    _key: undefined,
    index: T extends ConstructorParameters<C>[I] ? I : never,
  ): void => {
    tsyringeInject(keyOf(token))(target, undefined, index)
  }
}

/** Marks a class that `ContainerScope.build` may make; every parameter of its constructor carries `@inject`. */
export function injectable() {
  return <C extends new (...args: never[]) => unknown>(target: C): void => {
    tsyringeInjectable()(target as unknown as new (...args: unknown[]) => unknown)
  }
}
