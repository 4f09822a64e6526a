import house from './zh/house';
import objects from './zh/objects';
import pages from './zh/pages';

// One dictionary file per language and part; a test holds that all languages have the same keys.
export default { ...house, ...pages, ...objects };
