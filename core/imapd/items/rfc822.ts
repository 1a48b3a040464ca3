import { fetchItem } from '../../api/index.js'
import type { FetchItem, SealedFetchItem, Section } from '../../api/index.js'
import { wantsOf, writeSection } from './body-section.js'

/** The old names of whole, header and text (RFC 3501 §6.4.5): the same octets under another label. */
function old(name: string, what: 'all' | 'header' | 'text'): FetchItem<undefined> {
  const section: Section = { part: [], what, decoded: false }
  const label = { label: Buffer.from(`${name} `, 'latin1'), range: undefined }
  return {
    name,
    parse: () => undefined,
    needs: () => wantsOf(section),
    write: (_args, m, _row, out, session) => writeSection(m, section, label, out, session),
    // Only RFC822.HEADER leaves \Seen alone.
    setsSeen: () => what !== 'header',
  }
}

export const rfc822Items: readonly SealedFetchItem[] = [fetchItem(old('RFC822', 'all')), fetchItem(old('RFC822.HEADER', 'header')), fetchItem(old('RFC822.TEXT', 'text'))]
