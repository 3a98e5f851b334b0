import { applyLanguage, text } from './language.js';

applyLanguage();
document.title = text('not-found.title');
