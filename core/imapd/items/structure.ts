import { BODYSTRUCTURE, ENVELOPE, MailError, fetchItem } from '../../api/index.js'
import type { AnyFact, Fact, FetchItem, SealedFetchItem, StoredMessage } from '../../api/index.js'
import { bodyOf } from '../../mime/body.js'

/** What facts alone need. */
function factsOnly(fact: AnyFact): { readonly bytes: 'none'; readonly sections: []; readonly facts: readonly AnyFact[] } {
  return { bytes: 'none', sections: [], facts: [fact] }
}

/** A fact that was asked for; every fact of core has a deriver, so that its absence means a message that is no longer there. */
export function factOf<T>(m: StoredMessage, fact: Fact<T>): T {
  const value = m.fact?.(fact)
  if (value === undefined) throw new MailError('vanished', `no ${fact.id} of message ${m.uid}`)
  return value
}

/** An item whose answer is a fact in wire form: a cached one is copied to the client. */
function wireFact(name: string, fact: Fact<Uint8Array>, change?: (wire: Uint8Array) => Uint8Array): FetchItem<undefined> {
  const label = `${name} `
  return {
    name,
    parse: () => undefined,
    needs: () => factsOnly(fact),
    write(_args, m, _row, out) {
      const wire = factOf(m, fact)
      out.raw(label).bytes(change === undefined ? wire : change(wire))
    },
  }
}

/** BODY without a section: the structure without extension data. */
export const bodyWithoutSection = wireFact('BODY', BODYSTRUCTURE, bodyOf)
export const structureItems: readonly SealedFetchItem[] = [fetchItem(wireFact('ENVELOPE', ENVELOPE)), fetchItem(wireFact('BODYSTRUCTURE', BODYSTRUCTURE))]
