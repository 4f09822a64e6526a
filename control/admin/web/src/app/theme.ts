import { store } from './store';

export type Theme = 'system' | 'light' | 'dark';
const place = 'pingap-theme';

/** theme is what was chosen; system follows the desktop. */
export const theme = store<Theme>('system');

export function startTheme(): void {
  const kept = localStorage.getItem(place);
  setTheme(kept === 'light' || kept === 'dark' ? kept : 'system');
}

export function setTheme(to: Theme): void {
  if (to === 'system') {
    localStorage.removeItem(place);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(place, to);
    document.documentElement.dataset.theme = to;
  }
  theme.set(to);
}
