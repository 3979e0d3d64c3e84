import { place, setText } from './dom.js';

/** Kept for this tab only, so that it neither outlives it nor shows in an address. */
const KEY = 'clmex.token';

/** From the address' `#token=…`, which never travels over the network, or from before. */
export function knownToken(): string | undefined {
  const fromAddress = new URLSearchParams(location.hash.slice(1)).get('token');
  if (fromAddress !== null) {
    sessionStorage.setItem(KEY, fromAddress);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? undefined;
}

/** Shows the form until a token is given. */
export function askForToken(reason: string): Promise<void> {
  const form = place('token') as HTMLFormElement;
  setText(form.querySelector('.reason')!, reason);
  const input = form.querySelector('input')!;
  form.hidden = false;
  input.focus();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      const token = input.value.trim();
      if (token === '') return;
      sessionStorage.setItem(KEY, token);
      input.value = '';
      form.hidden = true;
      resolve();
    };
  });
}
