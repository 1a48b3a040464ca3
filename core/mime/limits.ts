/** Bounds of what is made of one message; beyond them parsing goes on in a simpler way that is always the same, and no octet is lost. */
export const MIME_LIMITS = {
  /** Multiparts and messages within each other; a deeper one becomes TEXT/PLAIN. */
  depth: 50,
  /** Parts of a message; later delimiter lines are content of the last part. */
  parts: 10_000,
  /** Octets of one header that are looked at; the rest counts and is passed on, but is not parsed. */
  headerOctets: 4 * 1024 * 1024,
  /** Longest line that can be a delimiter. RFC 2046 §5.1.1 says 70; broken mail says more. */
  delimiterLine: 1000,
  /** Groups within groups of an address list. */
  groupDepth: 50,
  /** Encoded words that are decoded in one field; later ones stay as they are. */
  encodedWords: 2000,
  /** Parameters of one header field. */
  parameters: 200,
  /** Message ids of a References field that are kept for threading: the last ones, which are the nearest ancestors. */
  references: 1000,
} as const
