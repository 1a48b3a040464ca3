/** Told where the file may be read and not written (FAQ 7.12). */
export const PROTECTED = "Can't get write access to mailbox, access is readonly"
