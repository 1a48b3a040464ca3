/** Names that are offered in BADCHARSET: one for each character set (RFC 3501 §7.1). */
export const CHARSETS: readonly string[] = [
  'US-ASCII', 'UTF-8', 'UTF-7', 'UTF-16', 'UTF-32',
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16].map((n) => `ISO-8859-${n}`),
  'KOI8-R', 'KOI8-U', 'TIS-620', 'VISCII', 'GBK', 'GB18030', 'HZ-GB-2312', 'ISO-2022-CN', 'BIG5', 'ISO-2022-JP', 'ISO-2022-JP-2', 'EUC-JP',
  'SHIFT_JIS', 'ISO-2022-KR', 'EUC-KR',
  ...[874, 936, 949, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258].map((n) => `WINDOWS-${n}`),
  ...[437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869].map((n) => `IBM${n}`),
  'MACINTOSH',
]

/** Names met in mail under which the library does not know what it has, in lower case. */
const ALIASES: Readonly<Record<string, string>> = {
  'ansi_x3.4-1968': 'us-ascii',
  ibm367: 'us-ascii',
  ascii: 'us-ascii',
  utf8: 'utf-8',
  'unicode-1-1-utf-8': 'utf-8',
  'unicode-1-1-utf-7': 'utf-7',
  'ucs-2': 'utf-16',
  'ucs-4': 'utf-32',
  'utf-16be': 'utf-16be',
  latin1: 'iso-8859-1',
  l1: 'iso-8859-1',
  'koi8-ru': 'koi8-u',
  'cn-gb': 'gbk',
  'cn-big5': 'big5',
  'big-5': 'big5',
  'shift-jis': 'shift_jis',
  sjis: 'shift_jis',
  'x-sjis': 'shift_jis',
  'x-gbk': 'gbk',
  'windows-31j': 'shift_jis',
  cp932: 'shift_jis',
  'ks_c_5601-1987': 'cp949',
  'ks_c_5601-1989': 'cp949',
  'ks_c_5601-1992': 'cp949',
  'ks_c_5601-1997': 'cp949',
  ksc5601: 'cp949',
  ksc_5601: 'cp949',
  'windows-949': 'cp949',
  'x-windows-949': 'cp949',
  windows_874: 'windows-874',
  ibm874: 'windows-874',
  hz: 'hz-gb-2312',
  'iso-2022-jp-1': 'iso-2022-jp',
  'iso-2022-jp-2': 'iso-2022-jp',
  'iso-2022-jp-3': 'iso-2022-jp',
  'iso-2022-cn-ext': 'iso-2022-cn',
  'iso-8859-8-i': 'iso-8859-8',
  'iso-8859-8-e': 'iso-8859-8',
}

/** One spelling of a name: lower case, without a language (`iso-8859-1*fr`), aliases followed. */
export function canonicalCharset(name: string): string {
  const star = name.indexOf('*')
  const lower = (star === -1 ? name : name.slice(0, star)).trim().toLowerCase()
  return Object.hasOwn(ALIASES, lower) ? ALIASES[lower]! : lower
}
