// The same types for `import`.
export * from './nodemailer.js'
