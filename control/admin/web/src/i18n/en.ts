import house from './en/house';
import objects from './en/objects';
import pages from './en/pages';

// One dictionary file per language and part; a test holds that all languages have the same keys.
export default { ...house, ...pages, ...objects };
