import { describe, expect, test } from 'vitest'
import { failedWith, fileFailure, MailError } from '../../../core/api/index.js'

const systemError = (code: string): Error => Object.assign(new Error(`${code}: open '/mail/box'`), { code })

describe('a failed system call on a mailbox', () => {
  test.each([
    { code: 'ENOENT', kind: 'not-found' },
    { code: 'ENOTDIR', kind: 'not-found' },
    { code: 'EACCES', kind: 'denied' },
    { code: 'EPERM', kind: 'denied' },
    { code: 'ENAMETOOLONG', kind: 'denied' },
    { code: 'EROFS', kind: 'read-only' },
    { code: 'EEXIST', kind: 'exists' },
    { code: 'ENOTEMPTY', kind: 'exists' },
    { code: 'ENOSPC', kind: 'unavailable' },
    { code: 'EDQUOT', kind: 'over-quota' },
  ])('$code is $kind, with what was tried and with its cause', ({ code, kind }) => {
    const cause = systemError(code)
    const failure = fileFailure(cause, 'cannot open box')
    expect(failure).toMatchObject({ name: 'MailError', kind, message: expect.stringMatching(/^cannot open box: /) as string, cause })
  })
  test.each([
    { name: 'a failing disk', error: systemError('EIO') },
    { name: 'a problem that is told already', error: new MailError('in-use', 'locked') },
    { name: 'what is no error', error: 'text' },
  ])('$name stays as it is', ({ error }) => {
    expect(fileFailure(error, 'x')).toBe(error)
  })
  test('one of several codes is told apart from others, and from what has none', () => {
    expect([failedWith(systemError('EPERM'), 'EACCES', 'EPERM'), failedWith(systemError('EPERM'), 'EACCES'), failedWith(new Error('EPERM'), 'EPERM')]).toEqual([true, false, false])
  })
})
