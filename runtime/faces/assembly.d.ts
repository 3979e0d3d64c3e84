/** An AssemblyScript source as the WebAssembly it compiles to, in base64. */
declare module '*?wasm' {
  const base64: string;
  export default base64;
}
