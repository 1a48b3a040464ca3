/** Variables that the libraries of Kerberos read. */
const READ = ['KRB5_CONFIG', 'KRB5_KTNAME', 'KRB5RCACHENAME', 'KRB5_TRACE'] as const

/** The environment of a process that calls Kerberos: what the server was started with, unless the configuration says otherwise. */
export function kerberosEnvironment(set: { readonly keytab: string | undefined; readonly configuration: string | undefined }, env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given = Object.fromEntries(READ.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
  return { ...given, ...(set.keytab === undefined ? {} : { KRB5_KTNAME: `FILE:${set.keytab}` }), ...(set.configuration === undefined ? {} : { KRB5_CONFIG: set.configuration }) }
}
