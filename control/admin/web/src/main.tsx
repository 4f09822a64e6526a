import { render } from 'preact';
import { App } from './app/app';
import { startTheme } from './app/theme';
import { findSession } from './api/client';
import { startLanguage } from './i18n';
import './ui/tokens.css';
import './ui/base.css';
import './ui/parts.css';
import './app/layout.css';

startTheme();
// Dictionary and session are asked for at the same time; the first render has both.
await Promise.all([startLanguage(), findSession().catch(() => undefined)]);
render(<App />, document.getElementById('app')!);
