import { ENVELOPE } from 'mailwright/api'
import type { MessageValue } from 'mailwright/api'
import { collationKey, decodeHeaderText, firstAddress } from 'mailwright/toolkit'
import type { EnvelopeAddresses } from 'mailwright/toolkit'
import { ENVELOPES } from './sort-keys.js'

/** What programs show of the first address: its name, or where it has none the address (RFC 5957 §3). */
function displayed(name: string, field: EnvelopeAddresses): MessageValue {
  return {
    name,
    needs: ENVELOPES,
    of(_row, _rows, m) {
      const wire = m.fact?.(ENVELOPE)
      const address = wire === undefined ? undefined : firstAddress(wire, field)
      const shown = decodeHeaderText(address?.personal ?? '')
      if (shown !== '') return collationKey(shown)
      const { mailbox, host } = address ?? {}
      if (mailbox === undefined) return ''
      return collationKey(decodeHeaderText(host === undefined ? mailbox : `${mailbox}@${host}`))
    },
  }
}

/** The criteria of RFC 5957 §4. */
export const displayKeys: readonly MessageValue[] = [displayed('DISPLAYFROM', 'from'), displayed('DISPLAYTO', 'to')]
