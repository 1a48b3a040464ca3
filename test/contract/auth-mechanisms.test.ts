import { createHash, createHmac, randomBytes } from 'node:crypto'
import { OTP_CHAIN, PASSWORD, SCRAM_SHA_1, SCRAM_SHA_256, type CredentialKind, type MechanismAbout, type SaslMechanism } from 'mailwright/api'
import { describeSaslMechanism, type Identity, type MechanismUnderTest, type ScriptedClient } from 'mailwright/testing'
import { SystemFiles } from '../../core/os/files.js'
import { Anonymous } from '../../plugins/auth/mechanisms/anonymous/anonymous.js'
import { apop } from '../../plugins/auth/mechanisms/apop/apop.js'
import { CramMd5 } from '../../plugins/auth/mechanisms/cram-md5/cram-md5.js'
import { DigestMd5 } from '../../plugins/auth/mechanisms/digest-md5/digest-md5.js'
import { External } from '../../plugins/auth/mechanisms/external/external.js'
import { loginMechanism } from '../../plugins/auth/mechanisms/login/login.js'
import { BearerMechanism, parseOauthBearer, parseXoauth2 } from '../../plugins/auth/mechanisms/oauth/oauth.js'
import { otp } from '../../plugins/auth/mechanisms/otp/otp.js'
import { plainMechanism } from '../../plugins/auth/mechanisms/plain/plain.js'
import { Scram, SCRAM_VARIANTS } from '../../plugins/auth/mechanisms/scram/scram.js'
import { otpPassword } from '../../plugins/auth/shared/otp-chain.js'
import { octets, words } from '../support/auth.js'
import { digestMd5Response, otpStep, scramClient } from '../support/sasl-clients.js'

const about = (name: string, more: Partial<MechanismAbout>): MechanismAbout => ({ name, exposesPassword: false, verifiesBy: [], worksWith: [], offered: () => true, ...more })
const clear = <T,>(kind: CredentialKind<T>, secret: string): T | undefined => (kind.id === PASSWORD.id ? kind.codec.decode(PASSWORD.codec.encode(words(secret))) : undefined)
/** The name with which LOGIN, CRAM-MD5 and APOP ask for another's mail. */
const starred = ({ user, authzid }: Identity): string => (authzid === undefined ? user : `${authzid}*${user}`)
const text = (challenge: Uint8Array): string => Buffer.from(challenge).toString()
const speaks = (initial: string, answer: ScriptedClient['answer'] = () => new Uint8Array(0)): ScriptedClient => ({ initial: octets(initial), answer })

const under: Readonly<Record<string, MechanismUnderTest>> = {
  PLAIN: {
    about: about('PLAIN', { exposesPassword: true, verifiesBy: ['password'] }),
    create: () => plainMechanism,
    replayable: true,
    client: ({ user, secret, authzid = '' }) => speaks(`${authzid}\0${user}\0${secret}`),
  },
  LOGIN: {
    about: about('LOGIN', { exposesPassword: true, verifiesBy: ['password'] }),
    create: () => loginMechanism,
    replayable: true,
    client: (who) => ({ answer: (_challenge, step) => octets(step === 0 ? starred(who) : who.secret) }),
  },
  'CRAM-MD5': {
    about: about('CRAM-MD5', { worksWith: [PASSWORD] }),
    create: () => new CramMd5((n) => randomBytes(n), () => Date.now()),
    credential: clear,
    client: (who) => ({ answer: (challenge) => octets(`${starred(who)} ${createHmac('md5', who.secret).update(challenge).digest('hex')}`) }),
  },
  APOP: {
    about: about('APOP', { worksWith: [PASSWORD], hidden: true }),
    create: () => apop,
    credential: clear,
    // The daemon sends the timestamp and answers for its being used once.
    replayable: true,
    client: (who) => speaks(`<1.2@mail.example.org>\0${starred(who)}\0${createHash('md5').update(`<1.2@mail.example.org>${who.secret}`).digest('hex')}`),
  },
  'DIGEST-MD5': {
    about: about('DIGEST-MD5', { worksWith: [PASSWORD] }),
    create: () => new DigestMd5((n) => randomBytes(n), undefined),
    credential: clear,
    client: ({ user, secret, authzid }) => ({ answer: (challenge) => octets(digestMd5Response(text(challenge), user, secret, authzid === undefined ? {} : { authzid }).text) }),
  },
  OAUTHBEARER: {
    about: about('OAUTHBEARER', { exposesPassword: true, verifiesBy: ['token'] }),
    create: () => new BearerMechanism(parseOauthBearer, { status: 'invalid_token' }),
    replayable: true,
    accepts: (claim, user, secret) => claim.kind === 'token' && owner(secret) === user && text(claim.token.reveal()) === token(secret),
    // Whose a token is, the token says; the name beside it is a wish.
    noAuthzid: true,
    client: ({ user, secret }) => speaks(`n,a=${user},\x01auth=Bearer ${token(secret)}\x01\x01`, () => octets('\x01')),
  },
  XOAUTH2: {
    about: about('XOAUTH2', { exposesPassword: true, verifiesBy: ['token'] }),
    create: () => new BearerMechanism(parseXoauth2, { status: '400' }),
    replayable: true,
    accepts: (claim, user, secret) => claim.kind === 'token' && owner(secret) === user && text(claim.token.reveal()) === token(secret),
    noAuthzid: true,
    client: ({ user, secret }) => speaks(`user=${user}\x01auth=Bearer ${token(secret)}\x01\x01`),
  },
  OTP: {
    about: about('OTP', { worksWith: [OTP_CHAIN] }),
    create: () => otp,
    // The backend takes the step that makes a password good for one login only; the kit's does not.
    replayable: true,
    credential: (kind, secret) => (kind.id === OTP_CHAIN.id ? kind.codec.decode(OTP_CHAIN.codec.encode({ algorithm: 'md5', sequence: 50, seed: 'ke1234', last: otpPassword('md5', octets(secret), 'ke1234', 50) })) : undefined),
    accepts: (claim, _user, secret) => claim.kind === 'one-time' && otpStep('md5', claim.response).equals(otpPassword('md5', octets(secret), 'ke1234', 50)),
    client: ({ user, secret, authzid = '' }) =>
      speaks(`${authzid}\0${user}`, (challenge) => {
        const [, sequence = '', seed = ''] = /^otp-md5 (\d+) (\S+)/.exec(text(challenge)) ?? []
        return octets(`hex:${Buffer.from(otpPassword('md5', octets(secret), seed, Number(sequence))).toString('hex')}`)
      }),
  },
  EXTERNAL: {
    about: about('EXTERNAL', {}),
    create: () => knowing(new External(['email'], false)),
    replayable: true,
    asksNobody: true,
    client: ({ authzid = '' }) => speaks(authzid),
  },
  ANONYMOUS: {
    about: about('ANONYMOUS', {}),
    create: () => new Anonymous(new SystemFiles(undefined), undefined, undefined),
    replayable: true,
    asksNobody: true,
    noAuthzid: true,
    client: () => speaks('trace'),
  },
}
function token(secret: string): string {
  return Buffer.from(secret).toString('base64url')
}
function owner(secret: string): string | undefined {
  return { 'correct horse': 'alice', 'battery staple': 'bob' }[secret]
}
/** The kit's client has no certificate; here the operating system knows who it is. */
function knowing(inner: SaslMechanism): SaslMechanism {
  return { authenticate: (x) => inner.authenticate({ ...x, peer: { ...x.peer, externalIdentity: 'alice' } }) }
}

for (const [name, mechanism] of Object.entries(under)) describeSaslMechanism(name, () => mechanism)
for (const variant of SCRAM_VARIANTS) {
  describeSaslMechanism(variant.name, () => ({
    about: about(variant.name, { worksWith: [variant.hash === 'sha1' ? SCRAM_SHA_1 : SCRAM_SHA_256, PASSWORD] }),
    create: () => new Scram(variant, { random: (n) => randomBytes(n), iterations: 4096 }),
    credential: clear,
    client: ({ user, secret, authzid }) => {
      const a = authzid === undefined ? '' : `a=${authzid}`
      const c = scramClient({ hash: variant.hash, user, password: secret, gs2: variant.plus ? `p=tls-exporter,${a},` : `n,${a},`, ...(variant.plus ? { channel: new Uint8Array(32).fill(1) } : {}) })
      return { initial: octets(c.first), answer: (challenge) => octets(c.final(text(challenge)).text) }
    },
  }))
}
