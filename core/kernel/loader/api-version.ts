import { API_VERSION } from '../../api/kernel.js'

/** Whether a plugin made for `wanted` runs here: equal major, minor at most ours. */
function judgeApi(wanted: string): 'fits' | 'too-new' | 'too-old' | 'malformed' {
  const asked = /^(\d+)\.(\d+)$/.exec(wanted)
  const ours = /^(\d+)\.(\d+)$/.exec(API_VERSION)
  if (asked === null || ours === null) return 'malformed'
  const [major, minor] = [Number(asked[1]), Number(asked[2])]
  const [ourMajor, ourMinor] = [Number(ours[1]), Number(ours[2])]
  if (major !== ourMajor) return major > ourMajor ? 'too-new' : 'too-old'
  return minor > ourMinor ? 'too-new' : 'fits'
}

/** Code, message and way out for a version that does not fit; undefined when it does. */
export function apiProblem(what: string, wanted: string): { readonly code: string; readonly message: string; readonly hint: string } | undefined {
  switch (judgeApi(wanted)) {
    case 'fits':
      return undefined
    case 'too-new':
      return { code: 'PLG_API_TOO_NEW', message: `${what} needs plugin API ${wanted}, this server offers ${API_VERSION}`, hint: 'use a newer server or an older version of the plugin' }
    case 'too-old':
      return { code: 'PLG_API_TOO_OLD', message: `${what} was made for plugin API ${wanted}, this server offers ${API_VERSION}`, hint: 'use a newer version of the plugin' }
    case 'malformed':
      return { code: 'PLG_NO_MANIFEST', message: `${what} states the plugin API as "${wanted}"`, hint: `state it as two numbers, such as "${API_VERSION}"` }
  }
}
