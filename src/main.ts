console.log('trun');
