/**
 * The nonce of this page: the server writes a new one into each. A browser refuses every style element without it, so
 * those who make some get it here, before they are loaded.
 */
export const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";

declare global {
  /** Where the dialogs' lock of the page's scrolling looks for it. */
  var __webpack_nonce__: string | undefined;
}

globalThis.__webpack_nonce__ = nonce;
