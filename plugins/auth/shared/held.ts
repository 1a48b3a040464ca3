import type { CredentialKind, Held } from 'mailwright/api'

/**
 * A credential of kind `has` for who asked for `wanted`; undefined when that is another kind. The value goes through both codecs, because
 * two copies of the API may each have a constant of one kind.
 */
export function heldAs<T, H>(wanted: CredentialKind<T>, has: CredentialKind<H>, user: string, value: H): Held<T> | undefined {
  return wanted.id === has.id ? { user, value: wanted.codec.decode(has.codec.encode(value)) } : undefined
}
