/**
 * Styles that a library puts into the page (Radix: the page does not scroll below a dialog) must bear the nonce of the
 * answer. The libraries look for it under this name.
 */
declare global {
  var __webpack_nonce__: string | undefined;
}

globalThis.__webpack_nonce__ = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce;

export {};
